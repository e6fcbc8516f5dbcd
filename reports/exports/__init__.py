"""The files of reports: CSV, workbooks and timesheets."""
