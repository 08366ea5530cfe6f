"""What the fork server imports, so that no worker imports it again.

Importing this module takes seconds. If the command ends meanwhile, for example by Ctrl+C, the
server ends too: otherwise it forks a worker that never gets its task and prints a traceback.
"""

import os
from importlib import import_module

started_by = os.getppid()
for module in ("axilla.training.engine.trials", "torchvision.models"):
    import_module(module)
if os.getppid() != started_by:
    raise SystemExit
