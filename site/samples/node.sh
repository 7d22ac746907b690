strata match a.jpg b.jpg --out matches.html        # a page to look at
strata match a.jpg b.jpg --json                    # the same as numbers
strata extract photos/ --out features/             # keypoints and descriptors of every picture
strata align a.jpg b.jpg --out aligned.png         # a.jpg laid onto b.jpg
strata info                                        # which model, and what it runs on
