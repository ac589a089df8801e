"""The pytest plugin: fixtures, options and reports over windsock. The only place that has heard of pytest."""
