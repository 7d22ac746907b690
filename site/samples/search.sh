strata index photos/ --out photos.index            # the same command again brings it up to date
strata search photos.index query.jpg
strata search photos.index query.jpg --json --top 3
strata duplicates photos/ --html duplicates.html   # pictures that are there twice
