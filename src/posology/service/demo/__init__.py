"""Made-up and published patients for `posology serve --demo`, and a model that suits them."""
