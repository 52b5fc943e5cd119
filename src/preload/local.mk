# Sources of this floor.
