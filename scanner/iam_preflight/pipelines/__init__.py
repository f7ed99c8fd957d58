"""Front end for delivery pipelines: which jobs take which roles, and what starts them."""
