"""The domain: what each processor declares and computes, on Arrow tables alone.

No warehouse, no settings, no clock: a worker process imports this room with numpy and pyarrow only.
"""
