"""The embedded runtime: one process that takes files from the drop folders through the stages into commits."""
