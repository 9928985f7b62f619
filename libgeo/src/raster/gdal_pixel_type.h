#pragma once

#include <cstdint>

#include <gdal.h>

namespace furrow::geo {

/// The GDAL type of a buffer of T.
template <class T>
constexpr GDALDataType gdal_type();
template <>
constexpr GDALDataType gdal_type<std::uint8_t>() {
  return GDT_Byte;
}
template <>
constexpr GDALDataType gdal_type<std::int16_t>() {
  return GDT_Int16;
}
template <>
constexpr GDALDataType gdal_type<std::uint16_t>() {
  return GDT_UInt16;
}
template <>
constexpr GDALDataType gdal_type<std::int32_t>() {
  return GDT_Int32;
}
template <>
constexpr GDALDataType gdal_type<std::uint32_t>() {
  return GDT_UInt32;
}
template <>
constexpr GDALDataType gdal_type<float>() {
  return GDT_Float32;
}
template <>
constexpr GDALDataType gdal_type<double>() {
  return GDT_Float64;
}

}  // namespace furrow::geo
