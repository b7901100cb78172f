"""The main job, shown: real files through every pipeline of a running stack."""
