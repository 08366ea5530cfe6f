"""The blinded reader study on the web: what readers are shown, and what their answers come to."""
