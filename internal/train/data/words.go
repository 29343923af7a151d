package data

import "strings"

var words = strings.Fields(`
acorn almond anchor anvil apple apron arch arrow atlas badge bakery balcony banjo barley barrel basin basket bathtub battery beacon beaver
bell bench berry bicycle biscuit blanket bonfire bottle boulder bracelet branch bread brick bridge broom brush bucket buckle bugle bundle
butter button cabin cable cactus camera candle canoe canvas carpet carriage castle cedar cellar chain chalk chapel cherry chess chimney
cider cinder circle circus clay cliff clock cloud clover cobweb coffee comet compass copper coral cork cotton cradle crane crater crayon
cricket crown crystal cupboard curtain cushion daisy desert diamond dinner dolphin door dragon drawer drum dust eagle easel echo elbow
ember emerald engine envelope fabric falcon feather fence fern fiddle field flag flame flask flint flute forest fork fountain fossil
frost furnace galaxy garden garlic gate ginger glacier glass globe glove gold gossip granite grape gravel guitar hammer hammock harbor
harp harvest hazel hedge helmet hinge honey horizon hornet hostel iceberg inkwell iron island ivory ivy jacket jasmine jelly jewel
jigsaw journal jungle kettle keyhole kite kitchen knot ladder lagoon lamp lantern lark laurel lava leather ledger lemon lens letter
lever lichen lilac lime linen lobster locket lotus lumber magnet mango map maple marble market mask meadow medal melon metal meteor
mill mirror mitten mortar moss motor mountain mushroom music mustard napkin needle nest nettle nickel notebook nutmeg oak oar oasis ocean
olive onion opal orbit orchard organ otter oven oyster paddle palace pancake panel paper parcel parrot pasture path peach pearl pebble
pencil pepper piano pickle pillow pine pipe planet plaster plate plum pocket pollen pond poplar poppy porch potato powder prairie prism
pump pumpkin puzzle quarry quartz quill quilt rabbit radio raft rain raisin ranch ribbon river robe rocket roof root rope rose rudder rug
saddle saffron sail salt sand sandal satin saucer sausage scarf school scissors shadow shell shovel signal silk silver sketch smoke snow
soap spark spice spider spindle spiral sponge spoon spruce stable staircase statue steam stone storm stove straw stream sugar summer
sunset swamp tablet tailor tangerine teapot temple tent thimble thistle thread thunder ticket tiger timber tinder tobacco torch tower
trumpet tulip tunnel turnip turtle twig umbrella valley vanilla velvet vessel vine violet violin volcano wagon wallet walnut water
wax weaver whale wheat wheel whisper willow window winter wire wolf wood wool yarn zebra zephyr zipper`)

var adjectives = strings.Fields(`
amber ancient angry bitter blind blunt brave bright brittle broken calm careful clever cold crooked curious damp dark deep distant dry
dusty early eager empty faded faint famous fierce final firm flat fragile frozen gentle giant glad golden grand grey happy hasty heavy
hidden hollow honest humble hungry icy idle jolly keen kind large late lazy light little lonely long loud lucky mellow merry mighty
modern narrow neat nervous new nimble noisy northern odd old open pale patient plain polite proud quick quiet rapid rare red restless rich
rough round royal rusty sad salty scarlet sharp shiny short shy silent silver simple sleepy slow small smooth soft solid sour southern
spare steady steep stern stiff still stormy strange strong sturdy sudden sweet swift tall tame tender thin tidy timid tiny tired upper
vague velvet warm weary wet white wicked wide wild wise wooden yellow young zealous`)

var verbs = strings.Fields(`
bury carry catch chase clean climb close count cover cross draw drop empty fetch find follow forget guard hide hold hunt keep kick
kindle lend lift light lock lower mark measure mend move open paint pass plant polish pull push raise reach read repair rescue ring save
sell send shake shut sing steal stop sweep throw trade trust turn visit wake wash watch weigh wrap write`)

var techWords = strings.Fields(`
alpha archive audit backup batch block boot buffer build bundle byte cache channel check chunk client cluster codec commit config
connection core count cursor daemon data debug default delay depth device digest disk driver edge encoder engine entry error event export
fetch field filter flag flush frame gateway handler hash header heap index input item job key kernel label latency layer level limit link
list load lock log loop map mask match max memory message metric min mode module node offset option output owner packet page parser
path peer pipe pixel policy pool port prefix probe process proxy queue quota random range rate ratio reader record region replica request
retry root route router rule sample scale scan schema scope score seed sensor server session shard signal size slot socket source stack
stage start state step stream sync table tag target task thread threshold tile timeout timer token trace tree trigger tunnel type unit
update upload user value vector version view volume wait weight width window worker writer zone`)

var devices = strings.Fields(`printer camera lantern kettle engine pump radio turbine scanner drone telescope robot printer tractor lathe
sensor furnace beacon clock compass generator battery elevator typewriter piano oven boiler crane microscope projector thermostat valve
antenna submarine balloon locomotive router lamp fridge satellite rover`)

var animals = strings.Fields(`badger beaver bison camel cat cheetah cobra crab crow deer dog dolphin donkey duck eagle eel falcon ferret
finch fox frog gecko gibbon goat goose hamster hare hawk hedgehog heron horse jackal jaguar koala lemur leopard lion lizard llama lynx
magpie mole monkey moose mouse newt otter owl panda parrot pelican penguin pigeon pony puffin rabbit raccoon raven robin salmon seal shark
sheep skunk sloth snail sparrow squid stork swan tiger toad tortoise trout turtle viper walrus weasel whale wolf wombat wren yak`)

var colours = strings.Fields(`red blue green yellow purple orange pink brown black white grey turquoise crimson scarlet teal indigo violet
magenta maroon navy olive beige amber ivory lavender coral cyan gold silver khaki mauve ochre plum rust salmon sienna tan lilac mint`)

var firstNames = strings.Fields(`Ada Agnes Aisha Alma Amara Anders Anika Ansel Anton Arjun Asa Astrid Aurel Basil Beatriz Bela Benedikt
Bettina Björn Boris Brigid Bruno Camila Casper Cecily Chloé Clara Conrad Cosima Cyrus Dalia Daria Dario Desmond Dimitri Dora Edda Edgar
Eino Elif Elio Elsa Emeka Emil Enzo Erik Esther Eszter Etta Fabian Farid Fatima Felix Fergus Fiona Flora Franz Freya Gareth Gemma Gideon
Gilda Giulia Greta Gustav Hana Hanna Harald Hassan Hector Hedda Heidi Helga Hiro Hugo Ibrahim Ida Ilse Imre Ines Ingrid Irina Iris Ismail
Ivan Ivo Jana Jarek Jasper Jens Joaquín Jonas Josefa Juno Kai Karim Katya Kenji Kirsten Klara Klaus Kofi Lars Leila Lena Leonor Levi Lidia
Lina Linus Ludmila Luis Lukas Luna Magnus Maja Malik Malte Mara Marek Marta Matteo Maud Mehmet Milo Mila Mina Mirko Mona Nadia Naomi Nestor
Nia Niels Nikola Nina Noor Nora Odile Ola Olaf Oleg Olga Omar Orla Oscar Otto Pablo Paloma Paola Paul Pedro Petra Pia Piotr Priya Quentin
Rafael Rana Ravi Regina Rhea Rita Roland Rosa Ruben Ruth Sabine Sadie Salma Samir Sanjay Sasha Selma Silas Silvia Simone Sofie Soren Stefan
Stella Sunita Sven Tamar Tariq Tessa Theo Thora Tilda Timo Tomás Ulla Ulrich Uma Ursula Vera Viktor Viola Wanda Werner Wilma Xavier Yara
Yusuf Yves Zara Zdeněk Zeno Zoë`)

var lastNames = strings.Fields(`Abbott Abara Adler Aguilar Ahlberg Alvarez Amari Andersen Arslan Ashdown Bakker Barlow Bauer Becker Bellamy
Berg Bianchi Blackwood Bosch Brandt Brisbois Castellan Castro Chaudhry Chen Cole Conti Cortez Crowley Dalton Danvers Delgado Diallo Dietrich
Dubois Duarte Eklund Ellery Engel Espinoza Farkas Faulkner Fernandes Fischer Fitzroy Fontaine Forsberg Gallagher Garnier Gupta Haas Hadley
Hahn Hansen Harlow Hartmann Hayashi Heller Holm Horvath Hughes Ibarra Ivanova Jansen Jarvis Jensen Johansson Kaplan Karlsson Kaur Keller
Kessler Kowalski Kozlov Kumar Laine Lambert Larsen Laurent Lindqvist Lombardi Lopez Lund Maddox Malik Marchetti Marlowe Mbeki Medina Mendes
Mertens Meyer Mikkelsen Molnár Moreau Mori Müller Nakamura Navarro Novak Nyberg Oakley Obi Okafor Olsen Orlov Ortega Osei Paget Palmer Patel
Pavlov Pereira Petrov Pinto Popescu Prescott Quist Ramírez Rasmussen Reyes Richter Rivera Rossi Rowan Ruiz Saarinen Sahin Sandberg Santos
Sato Schmidt Schreiber Seidel Sharma Silva Sinclair Singh Sokolov Sørensen Steiner Stokes Suarez Svoboda Szabo Takeda Tanaka Thorne Tolland
Torres Ueda Urbano Vance Varga Vasquez Vogel Volkov Wagner Walsh Weber Whitlock Winters Wójcik Yamada Yilmaz Zapata Ziegler Zimmer`)

// places are small towns; none is a world city.
var places = strings.Fields(`Aalen Abashiri Agen Albi Alnwick Amposta Ansbach Arbroath Argos Arles Armagh Ballina Bantry Barth Bayeux Beaune
Bergama Biella Bischofshofen Bitola Blois Bodø Bozen Bregenz Brno Bruneck Burford Buxton Cáceres Cadaqués Carcross Castro Cavan Celje Chania
Chioggia Cobh Cochem Colmar Comrie Corfe Cuenca Dachstein Dingle Doksy Drammen Dunkeld Écija Eger Ennis Esbjerg Faenza Falun Fécamp Finse
Foča Fowey Gäddede Galle Gimli Gjirokastër Goslar Gouda Grindelwald Guéret Haapsalu Hallstatt Hamar Hay Hobro Honfleur Hvar Idre Imst Inari
Izola Jaca Jajce Jõgeva Kalmar Kamnik Kápolna Kaš Keswick Kilkenny Kirkwall Kotor Kragerø Krems Kuressaare Laon Lerwick Lindau Ljungby
Loket Lošinj Lugo Luleå Lunenburg Makó Mariehamn Matera Melk Menton Merano Mostar Naantali Narva Nazaré Nida Nyborg Oban Odda Ohrid Ojai
Olhão Ørsta Otaru Øygarden Paimpol Pärnu Perast Piran Piteå Ponte Porvoo Prizren Ptuj Quimper Ravello Ribe Røros Ronda Rovaniemi Sarlat
Sibiu Sintra Skagen Skye Sligo Sopron Soria Sparta Stavern Stirling Štúrovo Tábor Tarquinia Tavira Telč Tiraspol Tomar Tralee Trogir Turku
Ulvik Umeå Urbino Vaduz Valga Vardø Varna Viborg Vik Visby Vlorë Wexford Whitby Xanthi Ystad Zadar Zamość Žilina Zug Zwolle`)

// famousCities are the keys of well-known benchmarks and the like: never used.
var famousCities = func() map[string]bool {
	m := map[string]bool{}
	for city := range strings.SplitSeq(`amsterdam,athens,atlanta,auckland,baghdad,bangkok,barcelona,beijing,beirut,belgrade,berlin,bogota,bogotá,boston,
brasilia,bratislava,brisbane,brussels,bucharest,budapest,buenos,buenos aires,cairo,calgary,cape town,caracas,casablanca,chennai,chicago,copenhagen,
dakar,dallas,damascus,delhi,denver,detroit,dhaka,doha,dubai,dublin,edinburgh,florence,frankfurt,geneva,glasgow,guangzhou,hamburg,hanoi,havana,helsinki,
ho chi minh city,hong kong,hong,houston,hyderabad,istanbul,jakarta,jerusalem,johannesburg,kabul,karachi,kathmandu,kiev,kyiv,kingston,kinshasa,kolkata,
krakow,kuala lumpur,kyoto,lagos,lahore,las vegas,lima,lisbon,liverpool,ljubljana,london,los angeles,luxembourg,lyon,madrid,manchester,manila,marrakech,
marseille,mecca,medellin,melbourne,mexico city,miami,milan,minsk,montevideo,montreal,moscow,mumbai,munich,nairobi,naples,nashville,new delhi,new orleans,
new york,york,osaka,oslo,ottawa,oxford,cambridge,palermo,panama city,paris,perth,philadelphia,phoenix,porto,portland,prague,pretoria,quebec,quito,
reykjavik,riga,rio de janeiro,riyadh,rome,rotterdam,san diego,san francisco,francisco,san jose,santiago,santo domingo,sao paulo,são paulo,sapporo,
sarajevo,seattle,seoul,seville,shanghai,shenzhen,singapore,sofia,st. petersburg,petersburg,stockholm,stuttgart,sydney,taipei,tallinn,tashkent,tbilisi,
tehran,tel aviv,aviv,tokyo,toronto,tunis,turin,valencia,vancouver,venice,vienna,vilnius,warsaw,washington,wellington,yokohama,zagreb,zurich,zürich,
ankara,algiers,accra,addis ababa,ababa,bangalore,bern,bonn,cologne,colombo,ghent,antwerp,goteborg,gothenburg,kigali,leipzig,dresden,malaga,nice,odessa`, ",") {
		m[strings.TrimSpace(city)] = true
	}
	return m
}()
