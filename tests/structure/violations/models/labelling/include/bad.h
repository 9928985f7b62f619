#include <furrow/segmentation/predictor.h>
#include <gdal_priv.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>
#include <toml++/toml.h>
