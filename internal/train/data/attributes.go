package data

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// attribute is a property with its names, the usual one first, and the value
// types that suit it.
type attribute struct {
	names    []string
	types    []valueType
	relation bool     // said with a verb: has frames of its own
	say, ask []string // of a relation
}

// attributeTable has an attribute a line: names, then value types.
const attributeTable = `
access code, entry code, code to get in = code digits4 digits7
door code, code of the door = digits4 code
password, passphrase = password phrase code
username, login name, user name = ident word
PIN, pin code = digits4
lucky number, number that brings luck = small integer
favourite number, best-loved number = small integer
favourite colour, preferred colour, best-loved colour = colour
favorite color, preferred color = colour
favourite animal, preferred animal = animal
favourite dish, favourite meal, preferred dish = adjnoun phrase
favourite word, best-loved word = word
favourite song, best-loved song = phrase quoted title
birthday, date of birth, day of birth = date
birthplace, place of birth, home town = place
badge id, badge number, number on the badge = code integer digits4
departure gate, gate = gate
departure time, time of departure, time it leaves = time
arrival time, time of arrival, time it arrives = time
arrival platform, platform = small gate
phone number, telephone number, telephone = phone
extension number, telephone extension = small digits4
fax number, fax = phone
serial number, serial no., serial = code integer hex
part number, part no. = code
motto, guiding saying = phrase sentence quoted
slogan, catchphrase = phrase sentence quoted
nickname, pet name = word Word pseudo
alias, assumed name = pseudo Word
code name, cover name = adjnoun Word pseudo
maiden name, name before marriage = pseudo person
price, cost, asking price = money
ticket price, fare, price of a ticket = money
budget, allotted money = money grouped
salary, pay, wage = money
debt, sum owed, amount owed = money
fine, penalty = money
reward, bounty = money
rent, monthly rent = money
dosage, dose = unit
weight, mass = unit
height, how high it is = unit
length, how long it is = unit
depth, how deep it is = unit
width, breadth = unit
top speed, maximum speed, highest speed = unit
temperature, how hot it is = unit
boiling point = unit
melting point = unit
capacity, how much it holds = unit integer
coordinates, exact position = coord
latitude = decimal
longitude = decimal
altitude, elevation = unit
deadline, due date, last day = date day time
start date, first day, day it starts = date
end date, closing date, day it ends = date
expiry date, expiration date, best-before date = date
delivery date, day of delivery = date day
opening time, opening hour, time it opens = time
closing time, closing hour, time it closes = time
meeting time, time of the meeting = time day
meeting place, meeting point, place to meet = place phrase path
wedding date, day of the wedding = date
founding year, year of foundation = year
year of construction, year it was built = year
anniversary, jubilee = date
age = small
population, number of inhabitants = grouped integer
number of employees, staff size, headcount = integer grouped
number of rooms, room count = small
number of pages, page count = small digits4
number of seats, seating = small
shoe size = small decimal
clothing size = small
blood type, blood group = gate
eye colour, colour of the eyes = colour
hair colour, colour of the hair = colour
colour, paint colour = colour
flag colour, colours of the flag = colour list
occupation, profession, job = word adjnoun
employer, boss = person
supervisor, line manager = person
doctor, physician = person
lawyer, attorney = person
teacher, tutor = person
best friend, closest friend = person
spouse, husband or wife = person
neighbour = person
owner, proprietor, holder = person
founder, who founded it = person
inventor, who invented it = person
captain, skipper = person
author, writer = person
editor = person
sponsor, patron = person
successor, who comes after = person
contact person, person to ask = person
mentor, guide = person
email address, email, e-mail = email
website, web address, home page = url
mailing address, postal address = place phrase
zip code, postal code, postcode = digits4 integer
street number, house number = small
room number, number of the room = small digits4 gate
seat number, seat = gate
locker number = small digits4
parking space, parking spot = gate small
shelf mark, place on the shelf = code gate
table number = small
account number, number of the account = integer digits7
card number = integer
customer number, client number = integer code
order number, order no. = integer code
invoice number = integer code
tracking number, tracking code = code integer
reference number, reference, ref = code integer
booking code, reservation code, confirmation code = code
licence number, license number = code
passport number = code digits7
case number = code integer
patent number = integer digits7
catalogue number, catalog number = code integer
membership number, member id = integer code
flight number = code
bus line, bus number = small gate
tail number = code
call sign, radio call = code Word
radio frequency, frequency = unit decimal
wavelength = unit
IP address, network address = ip
port number, network port = port
host name, hostname = ident
API key, api token = hex code
encryption key, cipher key = hex
checksum, digest = hex
commit hash, revision = hex
device id, device identifier = uuid hex code
session id = uuid hex
version, release number = version
firmware version = version
build number = integer digits4
license key, product key = code
error code, fault code = code digits4 hex
status, current state = word adjnoun
priority, urgency = small word ordinal
rank, ranking, standing = ordinal small
score, result, points = small decimal
grade, mark = decimal percent gate
success rate, rate of success = percent
discount, rebate = percent money
interest rate, rate of interest = percent
share, stake = percent
growth rate = percent
error margin, tolerance = percent unit
half-life = duration
duration, how long it takes = duration
waiting time, how long one waits = duration
warranty, guarantee period = duration
lifespan, length of life = duration
battery life = duration
file path, path, location of the file = path
log file = path file
backup folder, backup directory = path
config file, settings file = path file
file name, filename = file
main ingredient, chief ingredient = word
secret ingredient, hidden ingredient = word adjnoun
recipe = list phrase
toppings = list
members, people in it = list
contents, what is inside = list phrase
cargo, freight, load = adjnoun list word
symptoms, complaints = list phrase
allergy, what it cannot stand = word
diagnosis, finding = phrase adjnoun
treatment, cure, remedy = phrase adjnoun
hobby, pastime = word phrase
instrument, musical instrument = word
pet = animal
mascot, lucky charm = animal adjnoun
emblem, crest = animal adjnoun
totem, guardian animal = animal
native language, mother tongue = pseudo
dialect, local speech = pseudo
currency, money used = pseudo word
capital, seat of government = pseudo place
anthem, hymn = quoted phrase title
national dish = adjnoun phrase
patron saint = pseudo person
province, district, county = pseudo place
river = pseudo
highest peak, tallest mountain = pseudo place
destination, where it is bound for = place pseudo
port of call, next port = place pseudo
origin, where it comes from = place pseudo
hiding place, hideout = phrase place
last known location, last place seen = place phrase coord
route, way taken = list code phrase
shipping method, way of shipping = word adjnoun
supplier, vendor = person pseudo
manufacturer, maker = pseudo person
model, make = code ident version
material, what it is made of = word adjnoun
shape = word adjnoun
texture, feel = adjnoun word
smell, scent = adjnoun phrase
taste, flavour = adjnoun word
symbol, sign = word quoted
title, heading = phrase quoted title
subject, topic, theme = phrase
first line, opening words = sentence quoted
last words, parting words = sentence quoted
epitaph, words on the grave = sentence phrase
wish, dearest wish = phrase sentence
fear, greatest fear = word phrase
promise, vow, pledge = sentence phrase
riddle answer, answer to the riddle = word phrase
watchword, countersign = word adjnoun
signal, agreed sign = phrase adjnoun word
safe combination, combination of the safe = digits7 code integer
combination, lock combination = digits4 integer code
vault number = small integer
bank, house bank = pseudo
insurance number, policy number = code integer
tax number, tax id = integer code
medal, decoration = adjnoun
diet, food = list word
breed, race of it = pseudo adjnoun
`

// parseAttributes reads attributeTable.
func parseAttributes() []attribute {
	var out []attribute
	for line := range strings.Lines(attributeTable) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		names, kinds, ok := strings.Cut(line, " = ")
		if !ok {
			panic(fmt.Sprintf("data: attribute table: %q", line))
		}
		out = append(out, attribute{names: strings.Split(names, ", "), types: typesNamed(kinds)})
	}
	return out
}

// typesNamed looks up value types by their names.
func typesNamed(names string) []valueType {
	var out []valueType
	for _, name := range strings.Fields(names) {
		i := slices.IndexFunc(valueTypes, func(t valueType) bool { return t.name == name })
		if i < 0 {
			panic(fmt.Sprintf("data: no value type %q", name))
		}
		out = append(out, valueTypes[i])
	}
	return out
}

// coinedHeads are the last words of attributes that are made up on the spot,
// with value types. Any word may stand in front: what a "harvest number" is
// need not be known to find it.
var coinedHeads = func() []attribute {
	var out []attribute
	for line := range strings.SplitSeq(`number = integer digits7 digits4 small|code = code digits4 hex groups joined|word = word Word|name = pseudo person Word title|date = date|time = time|
colour = colour|value = integer decimal word|key = hex code password blob groups|id = uuid code integer joined|phrase = phrase adjnoun|figure = decimal grouped|letter = gate|
level = small unit|count = integer small|index = integer small|rate = percent decimal|size = unit integer|place = place phrase|token = hex code word|tag = ident code|
sum = money grouped|limit = integer unit|label = Word code ident|animal = animal|year = year|list = list|sentence = sentence|rule = sentence phrase|answer = word phrase|
reading = unit decimal|address = ip path email|partner = person|leader = person|song = quoted phrase title|book = title quoted|film = title|painting = title phrase|line = groups phone joined|position = coord joined|setting = setting ident|stone = adjnoun word|day = day date|score = small decimal|mark = percent gate|term = word phrase`, "|") {
		name, kinds, _ := strings.Cut(strings.TrimSpace(line), " = ")
		out = append(out, attribute{names: []string{name}, types: typesNamed(kinds)})
	}
	return out
}()

// coin makes up an attribute of the split.
func (t *tables) coin(r *rand.Rand, heldOut bool) *attribute {
	for {
		head := pick(r, coinedHeads)
		name := pick(r, pick(r, [][]string{words, adjectives, techWords, animals, devices})) + " " + head.names[0]
		if chance(r, 0.2) {
			name = pick(r, adjectives) + " " + name
		}
		if reserved(name) != heldOut {
			continue
		}
		a := &attribute{names: []string{name}, types: head.types}
		if heldOut {
			a.types = t.types
		}
		return a
	}
}
