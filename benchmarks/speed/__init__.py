"""Our speed and memory side by side with what they must keep up with, measured in turn in one process."""
