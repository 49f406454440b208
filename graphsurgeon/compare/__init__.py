"""Two models side by side: what differs (`gs diff`), and whether they compute the same (`gs verify`)."""
