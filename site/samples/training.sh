strata train detector --config strata-t --photos photos/ --out runs/mine
strata train report runs/mine --out runs/mine.html
strata match a.jpg b.jpg --model runs/mine/model
