strata extract photos/ --no-orientation --format h5 --out features.h5
strata match-features features.h5 --out matches.h5
strata export-colmap features.h5 --matches matches.h5 --images photos/ --out database.db
