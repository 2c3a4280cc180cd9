import Privet
