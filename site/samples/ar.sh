strata target compile poster.jpg --out poster.strata --width 0.6
strata target info poster.strata
strata track poster.strata frames/ --json
