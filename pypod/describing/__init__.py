"""What is told of a pod, as text: for `pypod describe`, and for the report of a failed test."""
