# What the adapter uses of cuRobo 0.8 (V2), written down from its source: signatures only, names in its order;
# parameters that the adapter does not give are left out. tests/planning/test_curobo_api.py holds it against an
# installed cuRobo.
__version__: str
