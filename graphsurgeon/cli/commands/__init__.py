"""The commands, one file each: options in, one library function called, its report shown."""
