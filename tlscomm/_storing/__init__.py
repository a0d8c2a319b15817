"""The certificate store: its folders, its entries, and how one is found."""
