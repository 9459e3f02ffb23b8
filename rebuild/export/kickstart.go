package export

func (m *machine) kickstart() {}
