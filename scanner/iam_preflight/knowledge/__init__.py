"""Facts about AWS, as data with source and date, and the code that reads them."""
