// The protocol's headers stand alone.
#include <pons/protocol/envelope.h>
#include <pons/protocol/frame_decoder.h>
