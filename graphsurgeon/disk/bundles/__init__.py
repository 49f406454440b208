"""Files that hold other files: ZIP and tar archives, and `.litertlm`. A path that goes on behind one leads into it."""
