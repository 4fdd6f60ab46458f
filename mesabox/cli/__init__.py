"""What you type: one file per subcommand; this folder is the command list."""
