"""What a request takes longer for than an answer: files bit by bit, sockets that stay open."""
