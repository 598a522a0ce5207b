"""What touches torch, transformers and peft. Import these modules late."""
