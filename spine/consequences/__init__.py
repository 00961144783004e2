"""What follows a commit, and never decides it: telling those who follow."""
