"""What a run will take before it is started: cells, hours, disk, downloads; and which scale a machine can carry."""
