"""Training side by side: `works` says what is trained, each other module is one who trains it."""
