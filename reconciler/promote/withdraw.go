package promote

import "context"

// Withdraw closes the request of an environment that is promoted to no more, or by no request, and takes its branch away. One with
// somebody's commits stays.
func (k *Keeper) Withdraw(ctx context.Context, s Subject, why string) error {
	lane := k.promotionLane(s)
	now, err := k.requests(ctx, lane)
	if err != nil {
		return err
	}
	return k.withdraw(ctx, lane, now, why)
}
