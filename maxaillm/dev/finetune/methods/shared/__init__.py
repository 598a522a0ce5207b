"""What several tuning methods need: PEFT, virtual tokens, Conv1D layers."""
