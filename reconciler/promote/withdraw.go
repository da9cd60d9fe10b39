package promote

import "context"

// Withdraw closes the request of an environment that is promoted to no more, or by no request, and takes its branch away. One with
// somebody's commits stays.
func (k *Keeper) Withdraw(ctx context.Context, s Subject, why string) error {
	return k.abandon(ctx, k.promotionLane(s), why)
}

// WithdrawGroup does the same with that of a group that nobody is in any more; s may be any environment of the repository.
func (k *Keeper) WithdrawGroup(ctx context.Context, name string, s Subject, why string) error {
	return k.abandon(ctx, k.groupLane(name, []Member{{Subject: s}}), why)
}

func (k *Keeper) abandon(ctx context.Context, lane lane, why string) error {
	now, err := k.requests(ctx, lane)
	if err != nil {
		return err
	}
	return k.withdraw(ctx, lane, now, why)
}
