package slab

// pages is the size of the module's memory in pages of 64 KiB.
func pages() int32

func mapped() int { return int(uint32(pages())) << 16 }

// settle has nothing to mend here: the memory says how large it is.
func (r *rooms) settle([]byte) {}
