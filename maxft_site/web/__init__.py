"""What the apps share: forms from schemas, the page frame, tokens. Knows none of them."""
