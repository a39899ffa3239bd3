"""The store: launches that are never changed once committed, as parquet files that open without us."""
