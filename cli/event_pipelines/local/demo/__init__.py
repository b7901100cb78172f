"""The demo: sends real files through every pipeline of a running stack."""
