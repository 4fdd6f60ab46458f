"""What runs inside a sandbox, by an interpreter without any package: standard library only, one file each."""
