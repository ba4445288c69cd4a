"""What templates may ask of interfaces."""
