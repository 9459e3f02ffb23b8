package export

func (m *machine) disko() {}
