"""The domain: the declarations and computations of all processors, on Arrow tables alone.

No warehouse, settings or clock belongs here: a worker process imports only numpy and pyarrow.
"""
