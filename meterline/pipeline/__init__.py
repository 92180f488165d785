"""One micro-batch through the stages: from raw records to the draft of a commit. It computes and reads; the engine commits."""
