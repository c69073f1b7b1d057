"""The posture of every cluster of many repositories, side by side."""
