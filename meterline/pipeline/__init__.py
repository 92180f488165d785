"""One micro-batch through the stages: from raw records to the draft of a commit. Only arithmetic and reading; the engine commits."""
