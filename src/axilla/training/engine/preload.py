"""What the fork server imports, so that no worker imports it again.

Importing this module takes seconds. Should the command end meanwhile, as by Ctrl+C, so does the
server: it would fork a worker whose instructions never come.
"""

import os
from importlib import import_module

started_by = os.getppid()
for module in ("axilla.training.engine.trials", "torchvision.models"):
    import_module(module)
if os.getppid() != started_by:
    raise SystemExit
