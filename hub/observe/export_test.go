package observe

import "github.com/commshub/commshub/hub/store"

// SetStore gives an observer another store.
func SetStore(o *Observer, s *store.Store) { o.store = s }
