strata bench hpatches --data sequences --method strata-xs --method strata-t --report report.html
strata bench compare strata-xs strata-t
