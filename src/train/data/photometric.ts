/**
 * The same view in other light, by another camera. What a camera does is done in its order: light (shadow) through a
 * lens (blur, motion) onto a sensor (exposure, white balance, noise), then what is made of it (contrast, gamma,
 * colours, 8 bits, JPEG). The first part works on linear light, where doubling is doubling.
 *
 * What is drawn is separate from what is done, so that a change can be looked at, and applied again.
 */
import { checkImage, type Image } from "../../image/image.js";
import { checkNumber, withDefaults } from "../../options.js";
import { Random } from "../../random.js";
import { gaussianBlur, motionBlur } from "./blur.js";
import { castShadow, drawShadow, type Shadow } from "./shadow.js";

export interface PhotometricOptions {
  /** Largest change of exposure either way, in stops. Default 1. */
  exposure: number;
  /** Logarithm of the largest exponent on sRGB values, and of its inverse. Default 0.3. */
  gamma: number;
  /** Logarithm of the largest slope of the tone curve at mid grey, and of its inverse. Default 0.4. */
  contrast: number;
  /** Largest gain of red against green and of blue against green, either way, in stops. Default 0.3. */
  whiteBalance: number;
  /** Largest change of the distance from grey, of 1, either way. Default 0.4. */
  saturation: number;
  /** Chance that a view is grey. Default 0.1. */
  grey: number;
  /** Chance of each of: blur, motion, noise, JPEG, shadow. Default 0.5. */
  chance: number;
  /** Largest standard deviation of Gaussian blur, pixels. Default 1.5. */
  blur: number;
  /** Longest way of a moving camera, pixels. Default 5. */
  motion: number;
  /** Largest standard deviation of shot noise in white, of white's light; it falls with the root of light. Default 0.05. */
  shotNoise: number;
  /** Largest standard deviation of read noise, of white's light. Default 0.003. */
  readNoise: number;
  /** Lowest quality of JPEG; 100: none. Default 40. */
  jpegQuality: number;
  /** Largest share of the light that a shadow takes. Default 0.7. */
  shadow: number;
}

export const PHOTOMETRIC_DEFAULTS: PhotometricOptions = {
  exposure: 1,
  gamma: 0.3,
  contrast: 0.4,
  whiteBalance: 0.3,
  saturation: 0.4,
  grey: 0.1,
  chance: 0.5,
  blur: 1.5,
  motion: 5,
  shotNoise: 0.05,
  readNoise: 0.003,
  jpegQuality: 40,
  shadow: 0.7,
};

/** No change at all. */
export const NO_PHOTOMETRIC: PhotometricOptions = {
  exposure: 0,
  gamma: 0,
  contrast: 0,
  whiteBalance: 0,
  saturation: 0,
  grey: 0,
  chance: 0,
  blur: 0,
  motion: 0,
  shotNoise: 0,
  readNoise: 0,
  jpegQuality: 100,
  shadow: 0,
};

/** What happens to one view. */
export interface LightChange {
  shadow: Shadow | null;
  /** Standard deviation in pixels; 0: none. */
  blur: number;
  /** Length in pixels (0: none) and direction in radians. */
  motion: { length: number; angle: number };
  /** Factors on linear red, green and blue: exposure and white balance. */
  gains: [number, number, number];
  /** Standard deviations, of white's light. */
  shotNoise: number;
  readNoise: number;
  noiseSeed: number;
  /** Exponent on sRGB values, then slope at mid grey, then factor on the distance from grey. */
  gamma: number;
  contrast: number;
  saturation: number;
  /** Quality, or null for no JPEG. */
  jpeg: number | null;
}

export const UNCHANGED: LightChange = {
  shadow: null,
  blur: 0,
  motion: { length: 0, angle: 0 },
  gains: [1, 1, 1],
  shotNoise: 0,
  readNoise: 0,
  noiseSeed: 0,
  gamma: 1,
  contrast: 1,
  saturation: 1,
  jpeg: null,
};

/** Largest quality that is drawn: above, JPEG changes next to nothing. */
const BEST_JPEG = 95;
/** Blur and motion below this, in pixels, is none. */
const LEAST_BLUR = 0.2;

/** Defaults overlaid by `given`; an OptionError for anything that is not offered. */
export function photometricOptions(given: Partial<PhotometricOptions> = {}): PhotometricOptions {
  const where = "photometric change";
  const options = withDefaults(where, PHOTOMETRIC_DEFAULTS, given);
  const largest: Record<Exclude<keyof PhotometricOptions, "jpegQuality">, number> = {
    exposure: 4,
    gamma: 2,
    contrast: 2,
    whiteBalance: 2,
    saturation: 1,
    grey: 1,
    chance: 1,
    blur: 10,
    motion: 50,
    shotNoise: 1,
    readNoise: 1,
    shadow: 1,
  };
  for (const [name, max] of Object.entries(largest)) {
    checkNumber(where, name, options[name as keyof PhotometricOptions], { min: 0, max });
  }
  checkNumber(where, "jpegQuality", options.jpegQuality, { min: 1, max: 100, integer: true });
  return options;
}

/** The change of a view of width × height. It takes the same numbers from `random` whatever happens. */
export function drawChange(width: number, height: number, options: PhotometricOptions, random: Random): LightChange {
  const either = (most: number) => random.uniform(-most, most);
  const happens = () => random.uniform() < options.chance;
  const exposure = either(options.exposure);
  const [red, blue] = [either(options.whiteBalance), either(options.whiteBalance)];
  const gamma = Math.exp(either(options.gamma));
  const contrast = Math.exp(either(options.contrast));
  const colour = 1 + either(options.saturation);
  const isGrey = random.uniform() < options.grey;
  // Squared: slight blur is common, much is rare.
  const blur = (happens() ? options.blur : 0) * random.uniform() ** 2;
  const motion = (happens() ? options.motion : 0) * random.uniform() ** 2;
  const angle = random.uniform(0, Math.PI);
  const noise = (happens() ? 1 : 0) * random.uniform();
  const noiseSeed = random.uint32();
  const isJpeg = happens() && options.jpegQuality < 100;
  const quality = random.uniform(Math.min(options.jpegQuality, BEST_JPEG), BEST_JPEG);
  const isShadowed = happens() && options.shadow > 0;
  const shadow = drawShadow(width, height, options.shadow, new Random(random.uint32()));
  return {
    shadow: isShadowed ? shadow : null,
    blur: blur < LEAST_BLUR ? 0 : blur,
    motion: { length: motion < LEAST_BLUR ? 0 : motion, angle },
    gains: [2 ** (exposure + red), 2 ** exposure, 2 ** (exposure + blue)],
    shotNoise: options.shotNoise * noise,
    readNoise: options.readNoise * noise,
    noiseSeed,
    gamma,
    contrast,
    saturation: isGrey ? 0 : colour,
    jpeg: isJpeg ? Math.round(quality) : null,
  };
}

/** The view after the change, in new memory; all but JPEG, which needs an encoder. */
export function changeLight(image: Image, change: LightChange): Image {
  checkImage("changeLight", image);
  const { width, height } = image;
  const { shadow, blur, motion, gains, shotNoise, readNoise, noiseSeed } = change;
  if (isUnchanged(change)) return { width, height, data: image.data.slice() };
  const light = toLight(image.data, gains);
  if (shadow) castShadow(light, width, height, shadow);
  if (blur > 0) gaussianBlur(light, width, height, blur);
  if (motion.length > 0) motionBlur(light, width, height, motion.length, motion.angle);
  if (shotNoise > 0 || readNoise > 0) addNoise(light, shotNoise, readNoise, new Random(noiseSeed));
  return { width, height, data: develop(light, change) };
}

function isUnchanged({ shadow, blur, motion, gains, gamma, contrast, saturation, ...noise }: LightChange): boolean {
  const isDark = shadow !== null || noise.shotNoise > 0 || noise.readNoise > 0;
  const isToned = gamma !== 1 || contrast !== 1 || saturation !== 1 || gains.some((gain) => gain !== 1);
  return !isDark && !isToned && blur === 0 && motion.length === 0;
}

/** 8-bit sRGB to linear light, white 1, times the gains. */
function toLight(data: Uint8Array, gains: readonly number[]): Float32Array {
  const [red, green, blue] = gains.map((gain) => Float32Array.from(LINEAR, (value) => gain * value));
  const light = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    light[i] = red[data[i]];
    light[i + 1] = green[data[i + 1]];
    light[i + 2] = blue[data[i + 2]];
  }
  return light;
}

/** Light of each 8-bit sRGB value (IEC 61966-2-1). */
const LINEAR = Float32Array.from({ length: 256 }, (_, code) => {
  const value = code / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** Standard deviation of the sum of four bytes: √(4 · (256² − 1) / 12). */
const FOUR_BYTES = Math.sqrt((256 ** 2 - 1) / 3);

/** Noise of variance shot²·light + read², on each sample. The sum of four bytes is near enough to a normal number. */
function addNoise(light: Float32Array, shot: number, read: number, random: Random): void {
  const [a, b] = [(shot / FOUR_BYTES) ** 2, (read / FOUR_BYTES) ** 2];
  for (let i = 0; i < light.length; i++) {
    const bits = random.uint32();
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24) - 510;
    light[i] += sum * Math.sqrt(a * light[i] + b);
  }
}

/** Steps of the table from the root of light to sRGB. By the root they are about a fifth of a code, in the dark as well. */
const STEPS = 2048;

/** sRGB values 0..1 by the root of light, 0..1 in STEPS steps, not rounded. */
const CODES = Float64Array.from({ length: STEPS + 1 }, (_, i) => {
  const light = (i / STEPS) ** 2;
  return light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
});

/** Light to 8-bit sRGB: clipped as a sensor clips, then gamma, contrast and saturation. */
function develop(light: Float32Array, { gamma, contrast, saturation }: LightChange): Uint8Array {
  const isToned = gamma !== 1 || contrast !== 1;
  const tone = Float32Array.from(CODES, (code) => 255 * (isToned ? toned(code, gamma, contrast) : code));
  const out = new Uint8Array(light.length);
  for (let i = 0; i < light.length; i += 3) {
    const r = tone[step(light[i])];
    const g = tone[step(light[i + 1])];
    const b = tone[step(light[i + 2])];
    const grey = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    out[i] = clip(grey + saturation * (r - grey)) + 0.5;
    out[i + 1] = clip(grey + saturation * (g - grey)) + 0.5;
    out[i + 2] = clip(grey + saturation * (b - grey)) + 0.5;
  }
  return out;
}

/** An exponent, then a curve of slope `contrast` at mid grey that bends towards black and white, which stay. */
function toned(code: number, gamma: number, contrast: number): number {
  const value = code ** gamma;
  const low = value ** contrast;
  return low / (low + (1 - value) ** contrast);
}

function step(light: number): number {
  return light <= 0 ? 0 : light >= 1 ? STEPS : (Math.sqrt(light) * STEPS + 0.5) | 0;
}

function clip(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
