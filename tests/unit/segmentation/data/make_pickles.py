"""Small files of torch.save for the tests of pickled weights."""
import collections, sys, torch
out = sys.argv[1]
plain = {'a': torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 'n': torch.tensor(5), 'half': torch.tensor([0.5, -2.0]).half(),
         'turned': torch.tensor([[1.0, 2.0], [3.0, 4.0]]).t()}
torch.save(plain, out + '/plain.pt')
torch.save(collections.OrderedDict(plain), out + '/ordered.pt')
torch.save({'epoch': 3, 'state_dict': collections.OrderedDict(plain)}, out + '/lightning.ckpt')
torch.save(torch.nn.Linear(2, 2), out + '/module.pt')
torch.save(plain, out + '/old.pt', _use_new_zipfile_serialization=False)
